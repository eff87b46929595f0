//! The parser: strict, with a place and a hint for every mistake.
//!
//! ```text
//! query    = or ;
//! or       = and , { "OR" , and } ;       an operand that is a bare AND chain is an error
//! and      = unary , { "AND" , unary } ;
//! unary    = [ "NOT" ] , prox ;
//! prox     = primary , { proxop , primary } ;
//! proxop   = ( "NEAR/" | "BEFORE/" ) , ( number | "s" ) ;
//! primary  = "(" , query , ")" | number , "OF" , "(" , query , { "," , query } , ")"
//!          | field , ":" , primary | "@" , name | "$" , name | term ;
//! term     = [ "=" ] , ( word | '"' , words , '"' | "'" , words , "'" ) ;
//! ```

use std::ops::Range;

use super::ast::{Kind, Node, Reach, Style, Term, is_word};
use crate::config::toml_file::nearest;
use crate::item::Field;
use crate::text::{Gap, Tokens};

/// The longest query, in bytes.
const LONGEST_QUERY: usize = 256 * 1024;
/// The deepest nesting of parentheses.
const DEEPEST: usize = 64;
/// The most words between the two sides of NEAR.
const FARTHEST: u32 = 1000;
/// The most terms that NEAR and BEFORE join in one chain; each is a level of the tree.
const LONGEST_CHAIN: usize = 16;
/// The fewest letters before `*`.
const SHORTEST_PREFIX: usize = 3;

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryError {
    /// Where, in bytes of the query.
    pub(crate) at: Range<usize>,
    /// What: a fragment without a full stop.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) hint: Option<String>,
}

impl QueryError {
    fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Reads a query. A syntax error ends the reading; of other mistakes all are reported.
pub(crate) fn parse(query: &str) -> Result<Node, Vec<QueryError>> {
    if query.len() > LONGEST_QUERY {
        let message = format!("the query is longer than {} KiB", LONGEST_QUERY / 1024);
        return Err(vec![QueryError::new(0..1, message).hint("split it into macros or entities")]);
    }
    let mut parser =
        Parser { query, lexemes: lex(query).map_err(|error| vec![error])?, next: 0, depth: 0 };
    let node = parser.query().map_err(|error| vec![error])?;
    if let Some(lexeme) = parser.peek() {
        return Err(vec![parser.unexpected(lexeme.clone())]);
    }
    let mut errors = Vec::new();
    check(&node, Inside::default(), &mut errors);
    if errors.is_empty() { Ok(node) } else { Err(errors) }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    And,
    Or,
    Not,
    Of,
    Number(u32),
    Near { reach: Reach, ordered: bool },
    Field(Field),
    Entity(String),
    Macro(String),
    Term(Term),
}

type Lexeme = (Token, Range<usize>);

/// What newcomers write from other languages, and what it is here.
const FOREIGN: [(&str, &str); 12] = [
    ("&&", "write AND"),
    ("||", "write OR"),
    ("|", "write OR"),
    ("&", "write AND"),
    ("!", "write NOT"),
    ("+", "terms joined by AND are all required"),
    ("[", "group with ( and )"),
    ("{", "group with ( and )"),
    ("~", "for words near each other write A NEAR/5 B"),
    ("^", "terms carry no weights"),
    ("?", "only * at the end of a word stands for other letters"),
    ("#", "a rule cannot name another rule: put the common part into a [macro] and write $name"),
];

fn lex(query: &str) -> Result<Vec<Lexeme>, QueryError> {
    let mut lexemes = Vec::new();
    let mut at = 0;
    while let Some(character) = query[at..].chars().next() {
        let rest = &query[at..];
        let length = character.len_utf8();
        let here = at..at + length;
        match character {
            white if white.is_whitespace() => {}
            '(' => lexemes.push((Token::Open, here)),
            ')' => lexemes.push((Token::Close, here)),
            ',' => lexemes.push((Token::Comma, here)),
            '"' | '\'' | '=' => {
                let (term, length) = quoted(query, at)?;
                lexemes.push((Token::Term(term), at..at + length));
                at += length;
                continue;
            }
            '@' | '$' => {
                let name: String = rest[1..]
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
                    .collect();
                let span = at..at + 1 + name.len();
                if name.is_empty() {
                    let what = if character == '@' { "an entity" } else { "a macro" };
                    let message = format!("{character} without the name of {what}");
                    return Err(QueryError::new(span, message)
                        .hint(format!("write the name right after it: {character}lavrov")));
                }
                at = span.end;
                let token = if character == '@' { Token::Entity(name) } else { Token::Macro(name) };
                lexemes.push((token, span));
                continue;
            }
            '“' | '”' | '„' | '«' | '»' | '‘' => {
                return Err(QueryError::new(
                    here,
                    format!("{character} is not a quotation mark of queries"),
                )
                .hint("use straight quotes: \" or '"));
            }
            '-' | '*' => {
                let hint = if character == '-' {
                    "write NOT"
                } else {
                    "* stands last in a word, after at least three letters"
                };
                return Err(
                    QueryError::new(here, format!("{character:?} cannot start a term")).hint(hint)
                );
            }
            other if is_word(other) && !FOREIGN.iter().any(|(mark, _)| rest.starts_with(mark)) => {
                let (lexeme, end) = word(query, at)?;
                lexemes.push(lexeme);
                at = end;
                continue;
            }
            other => {
                let mut error =
                    QueryError::new(here, format!("{other:?} means nothing in a query"));
                if let Some((_, hint)) = FOREIGN.iter().find(|(mark, _)| rest.starts_with(mark)) {
                    error = error.hint(*hint);
                } else {
                    error = error.hint("marks cannot be searched for: write the words alone");
                }
                return Err(error);
            }
        }
        at += length;
    }
    Ok(lexemes)
}

/// A term that starts with a quotation mark or `=`.
fn quoted(query: &str, start: usize) -> Result<(Term, usize), QueryError> {
    let verbatim = query[start..].starts_with('=');
    let open = start + usize::from(verbatim);
    let quote = query[open..].chars().next();
    let style = match (verbatim, quote) {
        (true, _) => Style::Verbatim,
        (false, Some('"')) => Style::Phrase,
        (false, _) => Style::Exact,
    };
    let (text, end) = if let Some(quote @ ('"' | '\'')) = quote {
        let Some(length) = query[open + 1..].find(quote) else {
            return Err(QueryError::new(open..open + 1, format!("the {quote} is never closed"))
                .hint(format!("add the closing {quote}")));
        };
        (query[open + 1..open + 1 + length].to_owned(), open + length + 2)
    } else {
        let text: String = query[open..].chars().take_while(|c| is_word(*c)).collect();
        let end = open + text.len();
        (text, end)
    };
    let span = start..end;
    if !text.chars().any(char::is_alphanumeric) {
        return Err(QueryError::new(span, "an empty term").hint("write a word between the quotes"));
    }
    if text.contains('*') || query[end..].starts_with('*') {
        return Err(QueryError::new(span, "* does not work in a quoted or = term")
            .hint("write the word without quotes: sanction*"));
    }
    Ok((Term { style, text: text.trim().to_owned(), prefix: false }, end - start))
}

/// A lexeme that starts with a word character: an operator, a number, a field or a term.
fn word(query: &str, start: usize) -> Result<(Lexeme, usize), QueryError> {
    let mut end = start;
    for character in query[start..].chars() {
        // An apostrophe within a word belongs to it: Xi's.
        let inside = character == '\''
            && end > start
            && query[end + 1..].chars().next().is_some_and(char::is_alphanumeric);
        if !is_word(character) && !inside {
            break;
        }
        end += character.len_utf8();
    }
    let text = &query[start..end];
    let at = start..end;
    let next = query[end..].chars().next();
    if next == Some(':') {
        return field(text, at, end);
    }
    if next == Some('*') {
        return prefix(query, text, start, end);
    }
    for (name, ordered) in [("NEAR", false), ("BEFORE", true)] {
        if let Some(reach) = text.strip_prefix(name) {
            if let Some(reach) = reach.strip_prefix('/') {
                return near(reach, ordered, at, end);
            }
            if reach.is_empty() {
                return Err(QueryError::new(at, format!("{name} without a distance"))
                    .hint(format!("write {name}/5 for at most five words between, {name}/s for the same sentence")));
            }
        }
    }
    if text.starts_with('/') {
        return Err(QueryError::new(at, format!("{text:?} is no word"))
            .hint("there are no regular expressions: write words, and * for their endings"));
    }
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("near/") || lower.starts_with("before/") {
        return Err(QueryError::new(at, format!("{text:?} is neither an operator nor quoted"))
            .hint(format!("operators are in capitals: {}", text.to_uppercase())));
    }
    let token = match text {
        "AND" => Token::And,
        "OR" => Token::Or,
        "NOT" => Token::Not,
        "OF" => Token::Of,
        "and" | "or" | "not" | "And" | "Or" | "Not" => {
            let operator = text.to_uppercase();
            return Err(QueryError::new(at, format!("{text:?} is neither an operator nor quoted"))
                .hint(format!("write {operator}, or \"{text}\" to search for the word")));
        }
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() < 5 => {
            Token::Number(digits.parse().unwrap_or(u32::MAX))
        }
        text if text.chars().any(char::is_alphanumeric) => {
            Token::Term(Term { style: Style::Word, text: text.to_owned(), prefix: false })
        }
        text => {
            return Err(QueryError::new(at, format!("{text:?} has no letter or digit"))
                .hint("write a word"));
        }
    };
    Ok(((token, at), end))
}

fn field(text: &str, at: Range<usize>, end: usize) -> Result<(Lexeme, usize), QueryError> {
    match Field::ALL.into_iter().find(|field| field.as_str() == text) {
        Some(field) => Ok(((Token::Field(field), at.start..end + 1), end + 1)),
        None => {
            let names = Field::ALL.map(Field::as_str);
            let hint = match nearest(text, names.into_iter()) {
                Some(near) => format!("did you mean {near}:?"),
                None => {
                    format!("the fields are {}", names.join(", "))
                }
            };
            Err(QueryError::new(at, format!("there is no field {text:?}")).hint(hint))
        }
    }
}

fn prefix(
    query: &str,
    text: &str,
    start: usize,
    end: usize,
) -> Result<(Lexeme, usize), QueryError> {
    let at = start..end + 1;
    if query[end + 1..].chars().next().is_some_and(|next| is_word(next) || next == '*') {
        return Err(QueryError::new(at, "* in the middle of a word")
            .hint("* stands last: sanction* finds sanctions and sanctioned"));
    }
    if !is_long_enough(text) {
        return Err(QueryError::new(at, format!("{text}* would match too many words"))
            .hint("write at least three letters before *"));
    }
    Ok((
        (Token::Term(Term { style: Style::Word, text: text.to_owned(), prefix: true }), at),
        end + 1,
    ))
}

fn near(
    reach: &str,
    ordered: bool,
    at: Range<usize>,
    end: usize,
) -> Result<(Lexeme, usize), QueryError> {
    let reach = match reach {
        "s" | "S" => Reach::Sentence,
        digits => match digits.parse() {
            Ok(words) if words <= FARTHEST => Reach::Words(words),
            Ok(_) => {
                return Err(QueryError::new(at, format!("more than {FARTHEST} words between"))
                    .hint("write /s for the same sentence, or AND for anywhere"));
            }
            Err(_) => {
                return Err(QueryError::new(at, "the distance is no number of words")
                    .hint(format!("write /0 to /{FARTHEST}, or /s for the same sentence")));
            }
        },
    };
    Ok(((Token::Near { reach, ordered }, at), end))
}

struct Parser<'q> {
    query: &'q str,
    lexemes: Vec<Lexeme>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Lexeme> {
        self.lexemes.get(self.next)
    }

    fn accept(&mut self, token: &Token) -> Option<Range<usize>> {
        let (_, at) = self.peek().filter(|(found, _)| found == token)?.clone();
        self.next += 1;
        Some(at)
    }

    fn end(&self) -> Range<usize> {
        let end = self.query.trim_end().len();
        let last = self.query[..end].chars().next_back().map_or(0, char::len_utf8);
        end - last..end
    }

    fn unexpected(&self, (token, at): Lexeme) -> QueryError {
        let text = &self.query[at.clone()];
        match token {
            Token::Close => QueryError::new(at, "this ) closes nothing").hint("remove it"),
            Token::Comma => QueryError::new(at, "a comma outside n OF (…)")
                .hint("write AND or OR between terms"),
            Token::And | Token::Or | Token::Near { .. } => {
                QueryError::new(at, format!("{text} without a term before it"))
                    .hint(format!("write a word before {text}, or remove it"))
            }
            Token::Of => {
                QueryError::new(at, "OF without a number before it").hint("write 2 OF (a, b, c)")
            }
            _ => QueryError::new(at, format!("no operator before {text}"))
                .hint("write AND or OR between terms, or put the phrase in quotes"),
        }
    }

    fn query(&mut self) -> Result<Node, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let at = self.peek().map_or_else(|| self.end(), |(_, at)| at.clone());
            return Err(QueryError::new(
                at,
                format!("parentheses nested more than {DEEPEST} deep"),
            )
            .hint("move inner parts into macros"));
        }
        let (first, mut bare) = self.chain()?;
        let mut parts = vec![first];
        while let Some(at) = self.accept(&Token::Or) {
            let (part, bare_part) = self.chain()?;
            if bare || bare_part {
                return Err(QueryError::new(at, "AND and OR side by side")
                    .hint("say which belongs together with parentheses: (a AND b) OR c"));
            }
            bare = bare_part;
            parts.push(part);
        }
        self.depth -= 1;
        Ok(many(parts, Kind::Or))
    }

    /// Terms joined by AND, and whether there is more than one without parentheses around all.
    fn chain(&mut self) -> Result<(Node, bool), QueryError> {
        let mut parts = vec![self.unary()?];
        while self.accept(&Token::And).is_some() {
            parts.push(self.unary()?);
        }
        let bare = parts.len() > 1;
        Ok((many(parts, Kind::And), bare))
    }

    fn unary(&mut self) -> Result<Node, QueryError> {
        let Some(at) = self.accept(&Token::Not) else { return self.prox() };
        let part = self.prox()?;
        Ok(Node { at: at.start..part.at.end, kind: Kind::Not(Box::new(part)) })
    }

    fn prox(&mut self) -> Result<Node, QueryError> {
        let mut left = self.primary()?;
        let mut joined = 1;
        while let Some((Token::Near { reach, ordered }, at)) = self.peek().cloned() {
            self.next += 1;
            joined += 1;
            if joined > LONGEST_CHAIN {
                let message = format!("more than {LONGEST_CHAIN} terms joined by NEAR or BEFORE");
                return Err(QueryError::new(at, message).hint("n OF (…) may say what you mean"));
            }
            let right = self.primary()?;
            let at = left.at.start..right.at.end;
            let (left_part, right) = (Box::new(left), Box::new(right));
            left = Node { at, kind: Kind::Near { left: left_part, right, reach, ordered } };
        }
        Ok(left)
    }

    fn primary(&mut self) -> Result<Node, QueryError> {
        let Some((token, at)) = self.peek().cloned() else {
            return Err(QueryError::new(self.end(), "the query ends where a term should stand")
                .hint("write a word after the last operator, or remove the operator"));
        };
        self.next += 1;
        let kind = match token {
            Token::Open => {
                let inner = self.query()?;
                let close = self.close(&at)?;
                return Ok(Node { at: at.start..close, kind: inner.kind });
            }
            Token::Number(count) => {
                if self.accept(&Token::Of).is_none() {
                    let text = self.query[at.clone()].to_owned();
                    return Ok(Node {
                        at,
                        kind: Kind::Term(Term { style: Style::Word, text, prefix: false }),
                    });
                }
                return self.count(count, at);
            }
            Token::Field(field) => {
                if let Some((Token::Field(_), inner)) = self.peek() {
                    return Err(QueryError::new(inner.clone(), "a field inside a field")
                        .hint("a word stands in one field: name only that one"));
                }
                let part = self.primary()?;
                return Ok(Node {
                    at: at.start..part.at.end,
                    kind: Kind::Field(field, Box::new(part)),
                });
            }
            Token::Entity(name) => Kind::Entity(name),
            Token::Macro(name) => Kind::Macro(name),
            Token::Term(term) => Kind::Term(term),
            Token::Not => {
                return Err(QueryError::new(at, "NOT cannot stand here")
                    .hint("NOT takes away from an AND: a AND NOT (b NEAR/5 c)"));
            }
            _ => {
                self.next -= 1;
                return Err(self.unexpected((token, at)));
            }
        };
        Ok(Node { at, kind })
    }

    fn close(&mut self, open: &Range<usize>) -> Result<usize, QueryError> {
        match self.accept(&Token::Close) {
            Some(at) => Ok(at.end),
            None => Err(match self.peek() {
                Some(lexeme) => self.unexpected(lexeme.clone()),
                None => QueryError::new(open.clone(), "this ( is never closed").hint("add a )"),
            }),
        }
    }

    fn count(&mut self, count: u32, at: Range<usize>) -> Result<Node, QueryError> {
        let Some(open) = self.accept(&Token::Open) else {
            return Err(QueryError::new(at, "OF without a list").hint("write 2 OF (a, b, c)"));
        };
        let mut parts = vec![self.query()?];
        while self.accept(&Token::Comma).is_some() {
            parts.push(self.query()?);
        }
        let close = self.close(&open)?;
        Ok(Node { at: at.start..close, kind: Kind::Count(count, parts) })
    }
}

fn many(mut parts: Vec<Node>, kind: fn(Vec<Node>) -> Kind) -> Node {
    if parts.len() == 1 {
        return parts.pop().expect("there is one part");
    }
    let at = parts[0].at.start..parts[parts.len() - 1].at.end;
    Node { at, kind: kind(parts) }
}

/// What a part stands inside of.
#[derive(Debug, Clone, Copy, Default)]
struct Inside {
    near: bool,
    field: bool,
}

/// What the grammar allows but makes no sense.
fn check(node: &Node, inside: Inside, errors: &mut Vec<QueryError>) {
    let forbid = |what: &str, errors: &mut Vec<QueryError>| {
        if inside.near {
            errors.push(
                QueryError::new(node.at.clone(), format!("{what} inside NEAR or BEFORE"))
                    .hint("words have places, a condition has none: move it outside"),
            );
        }
    };
    match &node.kind {
        Kind::Or(parts) => parts.iter().for_each(|part| check(part, inside, errors)),
        Kind::And(parts) => {
            forbid("AND", errors);
            parts.iter().for_each(|part| check(part, inside, errors));
        }
        Kind::Not(part) => {
            forbid("NOT", errors);
            check(part, inside, errors);
        }
        Kind::Near { left, right, .. } => {
            let inside = Inside { near: true, ..inside };
            check(left, inside, errors);
            check(right, inside, errors);
        }
        Kind::Count(count, parts) => {
            forbid("n OF", errors);
            if *count == 0 || *count as usize > parts.len() {
                errors.push(
                    QueryError::new(
                        node.at.clone(),
                        format!("{count} OF a list of {}", parts.len()),
                    )
                    .hint(format!("the number lies between 1 and {}", parts.len())),
                );
            }
            parts.iter().for_each(|part| check(part, inside, errors));
        }
        Kind::Field(_, part) => {
            if inside.field {
                errors.push(
                    QueryError::new(node.at.clone(), "a field inside a field")
                        .hint("a word stands in one field: name only that one"),
                );
            }
            check(part, Inside { field: true, ..inside }, errors);
        }
        Kind::Term(term) if is_empty(&term.text) => {
            errors.push(QueryError::new(node.at.clone(), "an empty term").hint("write a word"));
        }
        Kind::Term(term) => {
            if let Some((message, hint)) = parted(&term.text) {
                errors.push(QueryError::new(node.at.clone(), message).hint(hint));
            }
        }
        Kind::Entity(_) | Kind::Macro(_) => {}
    }
}

/// Whether a text holds no word at all: only marks and signs.
pub(crate) fn is_empty(text: &str) -> bool {
    let mut tokens = Tokens::default();
    tokens.read(text);
    tokens.all().is_empty()
}

/// Whether a prefix has so many letters that it does not find everything.
pub(crate) fn is_long_enough(prefix: &str) -> bool {
    let letters = prefix.chars().filter(|c| c.is_alphanumeric()).count();
    let asian = |c| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}');
    letters >= if prefix.chars().any(asian) { 1 } else { SHORTEST_PREFIX }
}

/// What is wrong with a term that holds a mark at which phrases end, and what to write instead: it
/// would never be found.
pub(crate) fn parted(text: &str) -> Option<(String, String)> {
    let mut tokens = Tokens::default();
    tokens.read(text);
    let all = tokens.all();
    let parted = |pair: &[crate::text::Token]| {
        pair[1].gap == Gap::Break || pair[1].sentence != pair[0].sentence
    };
    let place = all.windows(2).position(parted)?;
    let (before, after) = (all[place].end as usize, all[place + 1].start as usize);
    let words: Vec<String> =
        all.iter().map(|token| text[token.start as usize..token.end as usize].to_owned()).collect();
    Some((
        format!("{text:?} can never be found: a phrase ends at {:?}", text[before..after].trim()),
        format!("write {}", words.join(" NEAR/0 ")),
    ))
}
