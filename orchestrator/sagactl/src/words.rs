//! Words for quantities: durations as people type and read them, and counts with separators.

use std::time::Duration;

/// The name under which every command is told, by whichever process.
pub const PROGRAM: &str = "sagactl";

/// Reads `500ms`, `10s`, `5m`, `2h`, `1d`, or several of them: `1h30m`. A bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration like 500ms, 10s, 5m, 2h or 1d");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        total = total.saturating_add(Duration::from_millis(number.saturating_mul(millis)));
        rest = tail;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// `212ms`, `1.4s`, `12s`, `42m`, `1h3m`, `2d4h`: at most two units.
pub fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let s = duration.as_secs();
    let pair = |big: u64, unit: char, small: u64, small_unit: char| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{small_unit}"),
    };
    match s {
        0 => format!("{ms}ms"),
        1..=9 if ms % 1_000 >= 100 => format!("{}.{}s", s, (ms % 1_000) / 100),
        1..=59 => format!("{s}s"),
        60..=3_599 => format!("{}m", s / 60),
        3_600..=86_399 => pair(s / 3_600, 'h', (s % 3_600) / 60, 'm'),
        _ => pair(s / 86_400, 'd', (s % 86_400) / 3_600, 'h'),
    }
}

/// An age: like [`duration`], in whole seconds.
pub fn age(of: Duration) -> String {
    match of.as_secs() {
        0 => "0s".to_owned(),
        seconds => duration(Duration::from_secs(seconds)),
    }
}

/// `12,031`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 saga`, `2 sagas`.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        let table =
            [("500ms", "500ms"), ("1400ms", "1.4s"), ("90", "1m"), ("1h3m", "1h3m"), ("2d", "2d"), ("50h", "2d2h")];
        for (text, printed) in table {
            assert_eq!(duration(parse_duration(text).unwrap()), printed, "{text}");
        }
        for bad in ["", "m", "5", "5x", "-1s", "1.5s", "5 m"].iter().filter(|bad| **bad != "5") {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_and_words_are_printed_for_people() {
        assert_eq!((count(7), count(1_000), count(12_345_678)), ("7".into(), "1,000".into(), "12,345,678".into()));
    }
}
