//! Systems Manager Parameter Store: what somebody put there, and what stacks did.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::reader::{ParameterDecl, Parsed};
use super::validate::invalid;
use super::world::World;
use crate::ports::{PortError, STORED_MAX};

impl World {
    /// The newest value of a parameter.
    pub(super) fn in_store(&self, region: usize, name: &str) -> Option<String> {
        let scope = &self.data.regions[region].scope;
        let put = self.data.stored.get(&format!("{scope}|{name}")).cloned();
        put.or_else(|| {
            let mut made = self.resources_of(region, "AWS::SSM::Parameter");
            let found = made.find(|resource| resource.physical_id == name)?;
            found.properties.get("Value")?.as_str().map(str::to_owned)
        })
    }

    /// AWS: *`GetParameters`*, which leaves out what is not there.
    pub(super) fn stored(&self, region: usize, names: &[String]) -> Result<BTreeMap<String, String>, PortError> {
        if names.len() > STORED_MAX {
            return Err(invalid("GetParameters", "Member must have length less than or equal to 10"));
        }
        Ok(names.iter().filter_map(|name| Some((name.clone(), self.in_store(region, name)?))).collect())
    }

    /// Parameter values, those of the store in place of their names.
    pub(super) fn looked_up<'a>(
        &self,
        region: usize,
        parsed: &Parsed,
        parameters: &'a BTreeMap<String, String>,
    ) -> Cow<'a, BTreeMap<String, String>> {
        let mut values = Cow::Borrowed(parameters);
        for name in parsed.parameters.iter().filter(|(_, decl)| decl.is_stored()).map(|(name, _)| name) {
            if let Some(stored) = parameters.get(name).and_then(|key| self.in_store(region, key)) {
                values.to_mut().insert(name.clone(), stored);
            }
        }
        values
    }

    /// What was looked up for those that name a parameter of the store.
    pub(super) fn resolved(
        &self,
        region: usize,
        parsed: &Parsed,
        parameters: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let mut values = self.looked_up(region, parsed, parameters).into_owned();
        values.retain(|name, _| parsed.parameters.get(name).is_some_and(ParameterDecl::is_stored));
        values
    }
}
