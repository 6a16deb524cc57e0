//! What the template asks of a parameter's value (AWS: *CloudFormation template Parameters syntax*, properties).

use serde_json::Value as Json;

use super::limit::Refusal;

/// Constraints of a parameter.
#[derive(Clone, Debug, Default)]
pub(super) struct Constraints {
    pattern: Option<String>,
    least: Option<f64>,
    most: Option<f64>,
    shortest: Option<usize>,
    longest: Option<usize>,
    described: Option<String>,
}

impl Constraints {
    pub(super) fn of(decl: &Json) -> Self {
        let text = |field: &str| decl.get(field).and_then(Json::as_str);
        let number = |field: &str| text(field).and_then(|text| text.parse().ok());
        let length = |field: &str| text(field).and_then(|text| text.parse().ok());
        Self {
            pattern: text("AllowedPattern").map(str::to_owned),
            least: number("MinValue"),
            most: number("MaxValue"),
            shortest: length("MinLength"),
            longest: length("MaxLength"),
            described: text("ConstraintDescription").map(str::to_owned),
        }
    }

    /// Says of a value what CloudFormation does, in its words or the author's.
    fn broken(&self, numbers: bool, value: &str) -> Result<Option<String>, Refusal> {
        if numbers {
            let Ok(number) = value.parse::<f64>() else { return Ok(None) };
            let below = self.least.filter(|least| number < *least);
            let above = self.most.filter(|most| number > *most);
            return Ok(below
                .map(|least| format!("must be a number not less than {least}"))
                .or_else(|| above.map(|most| format!("must be a number not greater than {most}"))));
        }
        let letters = value.chars().count();
        if let Some(shortest) = self.shortest.filter(|shortest| letters < *shortest) {
            return Ok(Some(format!("must contain at least {shortest} characters")));
        }
        if let Some(longest) = self.longest.filter(|longest| letters > *longest) {
            return Ok(Some(format!("must contain at most {longest} characters")));
        }
        let Some(pattern) = &self.pattern else { return Ok(None) };
        // AWS's expressions are those of Java, of which this engine knows most.
        let compiled = regex::Regex::new(&format!("^(?:{pattern})$"))
            .map_err(|_| Refusal::cannot(format!("match values against the pattern {pattern}")))?;
        Ok((!compiled.is_match(value)).then(|| format!("must match pattern {pattern}")))
    }

    /// Holds the values of a parameter against all this: one, or those of a list.
    pub(super) fn check<'v>(
        &self,
        name: &str,
        numbers: bool,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Result<(), Refusal> {
        for value in values {
            if let Some(reason) = self.broken(numbers, value)? {
                let reason = self.described.as_ref().unwrap_or(&reason);
                return Err(Refusal::Aws(format!("Parameter '{name}' {reason}")));
            }
        }
        Ok(())
    }
}
