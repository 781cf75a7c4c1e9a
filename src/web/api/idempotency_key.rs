use actix_web::http::Method;

/// The longest name that is taken.
pub(super) const LONGEST: usize = 255;

/// A request at this pattern changes something, so that doing it once is another thing than doing it
/// twice. What only asks is never kept: its answer of then may be wrong by now.
pub(super) fn applies(method: &Method, pattern: &str) -> bool {
    *method == Method::POST && !pattern.starts_with("/access/") && !pattern.ends_with("/apikeys/verify")
}
