//! Where data has to stay: a caller whose data belongs to another region is told where to go, and served nothing here.

use std::collections::BTreeMap;

use mainstay_domain::{Caller, RegionName};

/// Where this Mainstay is, and who serves the other regions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Residency {
    /// The region of this process and its data; none where regions do not matter.
    pub here: Option<RegionName>,
    /// The addresses of the Mainstays of other regions.
    pub elsewhere: BTreeMap<RegionName, String>,
}

/// A caller whose data belongs elsewhere.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the data of this tenant has to stay in {region}, and this Mainstay is {}{}", place(.here), advice(.url))]
pub struct WrongRegion {
    /// Where the data has to stay.
    pub region: RegionName,
    /// Where this Mainstay is.
    pub here: Option<RegionName>,
    /// Who serves that region.
    pub url: Option<String>,
}

fn place(here: &Option<RegionName>) -> String {
    here.as_ref().map_or_else(
        || "nowhere in particular (residency.region is not set)".to_owned(),
        |here| format!("in {here}"),
    )
}

fn advice(url: &Option<String>) -> String {
    url.as_ref().map_or_else(String::new, |url| format!("; call {url} instead"))
}

impl Residency {
    /// Refuses a caller whose data belongs elsewhere.
    pub fn check(&self, caller: &Caller) -> Result<(), WrongRegion> {
        match &caller.region {
            Some(region) if self.here.as_ref() != Some(region) => Err(WrongRegion {
                region: region.clone(),
                here: self.here.clone(),
                url: self.elsewhere.get(region).cloned(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstay_domain::{KeyId, TenantId};

    use super::*;

    #[test]
    fn data_is_served_where_it_belongs_and_nowhere_else() {
        let us = "https://us.example.com".to_owned();
        let residency = Residency {
            here: Some("eu-west-1".into()),
            elsewhere: [("us-east-1".into(), us.clone())].into(),
        };
        let caller = |region: Option<&str>| Caller {
            region: region.map(RegionName::new),
            ..Caller::of(TenantId::new("acme"), KeyId::new("k"))
        };
        assert_eq!(residency.check(&caller(None)), Ok(()));
        assert_eq!(residency.check(&caller(Some("eu-west-1"))), Ok(()));
        assert_eq!(residency.check(&caller(Some("us-east-1"))).unwrap_err().url, Some(us));
        assert_eq!(residency.check(&caller(Some("ap-south-1"))).unwrap_err().url, None);
        let anywhere = Residency::default();
        assert!(
            anywhere.check(&caller(Some("eu-west-1"))).is_err(),
            "nobody knows that this is where it belongs"
        );
    }
}
