//! What happens to every request before and after its handler.

pub mod cross_site;
pub mod length;
pub mod limits;
pub mod pieces;
pub mod static_files;
