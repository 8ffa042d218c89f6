//! When someone is at the desk.

use jiff::Zoned;
use jiff::civil::{Time, Weekday};

const DAYS: [(&str, Weekday); 7] = [
    ("mo", Weekday::Monday),
    ("tu", Weekday::Tuesday),
    ("we", Weekday::Wednesday),
    ("th", Weekday::Thursday),
    ("fr", Weekday::Friday),
    ("sa", Weekday::Saturday),
    ("su", Weekday::Sunday),
];

const EXAMPLE: &str = "write for example \"Mo-Fr 09:30-18:30, Sa 10:00-13:00\"";

/// Weekly opening hours in the shop's own time. Empty hours mean that someone is always there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeskHours {
    spans: Vec<Span>,
}

/// From one minute of a day up to, but not including, another; both counted from midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    day: Weekday,
    from: i16,
    until: i16,
}

impl DeskHours {
    /// Reads `Mo-Fr 09:30-18:30, Sa 10:00-13:00`. Days may be named twice, for a break at noon; days may wrap
    /// (`Sa-Mo`), times may not, and a day ends at 24:00.
    ///
    /// # Errors
    /// Says which part cannot be read and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut spans = Vec::new();
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        for part in parts {
            let unreadable = || format!("`{part}` cannot be read; {EXAMPLE}");
            let (days, times) = part
                .split_once(char::is_whitespace)
                .ok_or_else(unreadable)?;
            let (from, until) = times.trim().split_once('-').ok_or_else(unreadable)?;
            let from = minute(from).ok_or_else(unreadable)?;
            let until = minute(until).ok_or_else(unreadable)?;
            if until <= from {
                return Err(format!(
                    "`{part}` ends before it begins; write hours past midnight as two parts"
                ));
            }
            let days = weekdays(days).ok_or_else(unreadable)?;
            spans.extend(days.into_iter().map(|day| Span { day, from, until }));
        }
        spans.sort_by_key(|span| (span.day.to_monday_zero_offset(), span.from));
        Ok(Self { spans })
    }

    /// Whether someone is there at this time, which is given in the shop's time zone.
    #[must_use]
    pub fn is_open(&self, at: &Zoned) -> bool {
        let now = i16::from(at.hour()) * 60 + i16::from(at.minute());
        let open = |span: &Span| span.day == at.weekday() && (span.from..span.until).contains(&now);
        self.spans.is_empty() || self.spans.iter().any(open)
    }

    /// When someone will be there next, in the time zone of `at`; none when someone is there already.
    #[must_use]
    pub fn next_opening(&self, at: &Zoned) -> Option<Zoned> {
        if self.is_open(at) {
            return None;
        }
        let mut date = at.date();
        // The same weekday again, when today's hours are over and there is no other day.
        for _ in 0..=7 {
            for span in self.spans.iter().filter(|span| span.day == date.weekday()) {
                let hour = i8::try_from(span.from / 60).ok()?;
                let minute = i8::try_from(span.from % 60).ok()?;
                let time = Time::new(hour, minute, 0, 0).ok()?;
                let opening = date
                    .to_datetime(time)
                    .to_zoned(at.time_zone().clone())
                    .ok()?;
                if &opening > at {
                    return Some(opening);
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }
}

/// `Mo`, `Mo-Fr`, `Sa-Mo`.
fn weekdays(text: &str) -> Option<Vec<Weekday>> {
    let place = |name: &str| {
        DAYS.iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(name.trim()))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (place(first)?, place(last)?);
    let length = (last + DAYS.len() - first) % DAYS.len() + 1;
    Some(
        DAYS.iter()
            .cycle()
            .skip(first)
            .take(length)
            .map(|(_, day)| *day)
            .collect(),
    )
}

/// The minutes since midnight of `09:30`; at most `24:00`.
fn minute(text: &str) -> Option<i16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(hour, 2) || !digits(minute, 2) || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (i16, i16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= 24 * 60).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Zoned {
        format!("{text}[Europe/Rome]").parse().unwrap()
    }

    #[test]
    fn the_desk_opens_and_closes() {
        let hours = DeskHours::parse("Mo-Fr 09:30-18:30, sa 10:00-13:00").unwrap();
        // 2026-11-20 is a Friday.
        assert!(hours.is_open(&at("2026-11-20T09:30")));
        assert!(!hours.is_open(&at("2026-11-20T18:30")));
        assert!(!hours.is_open(&at("2026-11-22T11:00")));
        let next = |text: &str| {
            hours
                .next_opening(&at(text))
                .map(|opening| opening.datetime().to_string())
        };
        assert_eq!(next("2026-11-20T08:00").unwrap(), "2026-11-20T09:30:00");
        assert_eq!(next("2026-11-20T18:30").unwrap(), "2026-11-21T10:00:00");
        assert_eq!(next("2026-11-21T13:00").unwrap(), "2026-11-23T09:30:00");
        assert_eq!(next("2026-11-20T12:00"), None);
    }

    #[test]
    fn breaks_wraps_and_midnight_are_understood() {
        let hours = DeskHours::parse("Sa-Mo 09:00-12:00, Sa-Mo 14:00-24:00").unwrap();
        assert!(!hours.is_open(&at("2026-11-21T12:30")));
        assert!(hours.is_open(&at("2026-11-23T23:59")));
        assert!(!hours.is_open(&at("2026-11-24T10:00")));
        let one_day = DeskHours::parse("We 10:00-11:00").unwrap();
        let next = one_day.next_opening(&at("2026-11-18T11:00")).unwrap();
        assert_eq!(next.date().to_string(), "2026-11-25");
    }

    #[test]
    fn clocks_that_change_do_not_hide_an_opening() {
        // 02:30 does not exist on 2026-03-29 in Rome.
        let hours = DeskHours::parse("Su 02:30-05:00").unwrap();
        let next = hours.next_opening(&at("2026-03-29T01:00")).unwrap();
        assert_eq!(next.datetime().to_string(), "2026-03-29T03:30:00");
    }

    #[test]
    fn empty_hours_mean_always() {
        let always = DeskHours::parse(" ").unwrap();
        assert!(always.is_open(&at("2026-11-22T03:00")));
        assert_eq!(always.next_opening(&at("2026-11-22T03:00")), None);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let wrong = [
            "Mo",
            "Mo 9-18",
            "Mon 09:00-18:00",
            "Mo 18:00-09:00",
            "Mo 09:00-25:00",
            "Mo 09:60-10:00",
            "Mo-Fr-Sa 1:00-2:00",
        ];
        for text in wrong {
            assert!(DeskHours::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = DeskHours::parse(&text);
        }

        #[test]
        fn the_next_opening_is_later_and_open(minutes in 0i64..20_000, hours in "(Mo|We|Sa-Su) 0[1-9]:[0-5]0-1[0-9]:00") {
            let hours = DeskHours::parse(&hours).unwrap();
            let now = at("2026-11-16T00:00").checked_add(jiff::Span::new().minutes(minutes)).unwrap();
            match hours.next_opening(&now) {
                Some(opening) => prop_assert!(opening > now && hours.is_open(&opening)),
                None => prop_assert!(hours.is_open(&now)),
            }
        }
    }
}
