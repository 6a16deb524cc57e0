//! What somebody may have meant who wrote something that there is not.

/// The candidate that is most like `wrong`, if one is near enough to be meant.
#[must_use]
pub fn nearest<'c>(wrong: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let near = |candidate: &'c str| Some((distance(wrong, candidate)?, candidate));
    candidates.into_iter().filter_map(near).min().map(|(_, candidate)| candidate)
}

/// How many letters apart two names are, case aside; `None` if too many.
fn distance(wrong: &str, candidate: &str) -> Option<usize> {
    // Nobody mistypes a name of hundreds of characters.
    const LONGEST: usize = 128;
    let longer = wrong.len().max(candidate.len());
    let limit = (1 + longer / 4).min(wrong.len().saturating_sub(1));
    if longer > LONGEST || wrong.len().abs_diff(candidate.len()) > limit {
        return None;
    }
    let (a, b) = (wrong.to_ascii_lowercase(), candidate.to_ascii_lowercase());
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let shorter = a.len().min(b.len());
    let start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let end = a.iter().rev().zip(b.iter().rev()).take(shorter - start).take_while(|(x, y)| x == y).count();
    let middle = |text: &[char]| text.get(start..text.len() - end).unwrap_or_default().iter().collect::<String>();
    let distance = strsim::osa_distance(&middle(&a), &middle(&b));
    (distance <= limit).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_near_and_another_word_is_not() {
        let names = ["network", "net", "kms", "tier"];
        assert_eq!(nearest("netwrok", names), Some("network"));
        assert_eq!(nearest("Network", names), Some("network"));
        assert_eq!(nearest("kmss", names), Some("kms"));
        assert_eq!(nearest("tire", names), Some("tier"));
        assert_eq!(nearest("database", names), None);
        assert_eq!(nearest("5", ["1", "2"]), None);
        assert_eq!(nearest("", names), None);
    }
}
