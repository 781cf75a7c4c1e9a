//! Every row of the database, read at one moment (`snapshot`), and loaded into an empty database of either kind
//! (`load`). `tables` says what there is to read, `guards` is what stands in the way of loading it.

pub mod archive;
mod guards;
pub mod import;
pub mod load;
pub mod snapshot;
pub mod tables;
