//! Pages full of made-up rows, for `cargo bench` to draw: no database and no request takes part.

mod frame;

use self::frame::chrome;
use crate::web::routes;
use askama::Template;

/// Rows on each page.
const ROWS: u8 = 50;

pub fn members() -> impl Template {
    routes::members::sample::members(chrome("/w/{workspace}/members"), ROWS)
}

pub fn activity() -> impl Template {
    routes::activity::sample::activity(chrome("/w/{workspace}/activity"), ROWS)
}

pub fn security() -> impl Template {
    routes::security::sample::security(chrome("/w/{workspace}/security"))
}
