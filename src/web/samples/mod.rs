//! Pages full of made-up rows, for `cargo bench` to draw: no database and no request takes part.

pub mod frame;

pub use crate::web::routes::{
    activity::sample::activity, members::sample::members, security::sample::security,
};
