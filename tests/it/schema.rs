//! The published schema of alert records, for every record that a test of the daemon reads.

use serde_json::Value;

const TEXT: &str = include_str!("../../docs/alert-record.schema.json");

/// Holds messages against the schema: records, or batches of them.
#[track_caller]
pub(crate) fn check(messages: &[Value]) {
    let document: Value = serde_json::from_str(TEXT).unwrap();
    let id = document["$id"].as_str().unwrap().to_owned();
    let mut compiler = boon::Compiler::new();
    compiler.enable_format_assertions();
    compiler.add_resource(&id, document).unwrap();
    let mut schemas = boon::Schemas::new();
    let root = compiler.compile(&id, &mut schemas).unwrap();
    for record in messages.iter().flat_map(records) {
        if let Err(error) = schemas.validate(record, root) {
            panic!("{error}\n{record:#}");
        }
    }
}

/// The records of a message: of a batch each.
fn records(message: &Value) -> &[Value] {
    match message {
        Value::Array(batch) => batch,
        record => std::slice::from_ref(record),
    }
}
