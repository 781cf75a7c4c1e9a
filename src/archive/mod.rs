//! Archives of one workspace: a zip with a file of JSON Lines for each table, and a manifest. `file` is its form, `create`
//! makes one, `import` makes an installation of it.

pub mod create;
mod file;
mod import;

pub use create::{CreateError, create};
pub use import::{ImportError, Imported, import};
