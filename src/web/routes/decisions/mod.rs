pub mod evaluation;
pub mod parse;
pub mod schema;
pub mod search;
