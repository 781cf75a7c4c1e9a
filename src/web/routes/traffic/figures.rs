//! Figures as people read them.

/// Such as `1.2 KB`.
pub(in crate::web::routes) fn size(bytes: i64) -> String {
    let units = ["B", "KB", "MB", "GB", "TB"];
    let (mut scaled, mut unit) = (bytes.max(0), 0);
    let mut tenths = 0;
    while scaled >= 1_000 && unit + 1 < units.len() {
        tenths = scaled % 1_000 / 100;
        scaled /= 1_000;
        unit += 1;
    }
    match unit > 0 && scaled < 10 {
        true => format!("{scaled}.{tenths} {}", units[unit]),
        false => format!("{scaled} {}", units[unit]),
    }
}

/// Such as `120 ms` or `1.2 s`.
pub(super) fn duration(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} s", ms / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 KB"),
            (1_260, "1.2 KB"),
            (10_000, "10 KB"),
            (26_214_400, "26 MB"),
            (3_400_000_000, "3.4 GB"),
            (i64::MAX, "9223372 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (ms, text) in [(0, "0 ms"), (999, "999 ms"), (1_250, "1.2 s"), (120_000, "120 s")] {
            assert_eq!(duration(ms), text);
        }
    }
}
