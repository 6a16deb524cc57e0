//! A template as AWS shows it: with a `?` for every character that is not ASCII
//! (aws-cloudformation/cloudformation-coverage-roadmap#1220).

use super::{opaque_facts, parse};
use crate::model::Digest;

/// Whether what AWS shows can be this template. Where only characters that it does not show differ, nobody can tell.
#[must_use]
pub fn may_be_shown_as(body: &str, digest: &Digest, shown: &Digest) -> bool {
    if digest == shown || body.is_ascii() {
        return digest == shown;
    }
    let text: String = body.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    let facts = parse(&text).map_or_else(|_| opaque_facts(&text), |template| template.facts);
    facts.digest == *shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_known_by_what_aws_shows_of_it() {
        let body = |name: &str| {
            format!("Resources: {{ T: {{ Type: AWS::SNS::Topic, Properties: {{ DisplayName: '{name}' }} }} }}\n")
        };
        let digest = |body: &str| parse(body).unwrap().facts.digest.clone();
        let (ours, shown, other) = (body("Grüße"), body("Gr??e"), body("Gruss"));
        assert!(may_be_shown_as(&ours, &digest(&ours), &digest(&shown)));
        assert!(may_be_shown_as(&ours, &digest(&ours), &digest(&ours)));
        assert!(!may_be_shown_as(&ours, &digest(&ours), &digest(&other)));
        assert!(!may_be_shown_as(&other, &digest(&other), &digest(&shown)), "ASCII is shown as it is");
    }
}
