//! The daemon: event loop, poller, deliverer, reload, shutdown.
