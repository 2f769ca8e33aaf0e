//! `GET /v1/models`.

use bytes::{Bytes, BytesMut};
use serde::de::MapAccess;

use crate::error::UpstreamError;
use crate::json::read::{self, Fields, Read};
use crate::json::write::Object;

/// A model that can be asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Model {
    /// The name to ask for.
    pub id: String,
    /// When it came to be, in seconds since 1970; 0 where nobody says.
    pub created: i64,
    /// Whose it is.
    pub owned_by: String,
}

impl<'de> Fields<'de> for Model {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = read::string(object)?.unwrap_or_default(),
            "created" => self.created = read::seconds(object)?.unwrap_or(0),
            "owned_by" => self.owned_by = read::string(object)?.unwrap_or_default(),
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct ListFields {
    models: Option<Vec<Model>>,
}

impl<'de> Fields<'de> for ListFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "data" => self.models = Some(read::objects(object)?),
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// Reads a provider's list. Anthropic's `GET /v1/models` reads the same way.
pub fn decode_models(body: &[u8]) -> Result<Vec<Model>, UpstreamError> {
    let Read(list) = serde_json::from_slice::<Read<ListFields>>(body)
        .map_err(|error| UpstreamError::unreadable(body, &error))?;
    list.models.ok_or_else(|| UpstreamError::malformed("the provider's list of models has no `data`"))
}

/// Writes the list for a caller.
pub fn encode_models(models: &[Model]) -> Bytes {
    let mut out = BytesMut::with_capacity(128 * models.len() + 32);
    {
        let mut body = Object::new(&mut out);
        body.text("object", "list");
        let mut data = body.array("data");
        for model in models {
            write_model(model, data.object());
        }
    }
    out.freeze()
}

/// Writes one model, the answer to `GET /v1/models/{id}`.
pub fn encode_model(model: &Model) -> Bytes {
    let mut out = BytesMut::with_capacity(128);
    write_model(model, Object::new(&mut out));
    out.freeze()
}

fn write_model(model: &Model, mut out: Object<'_>) {
    out.text("id", &model.id);
    out.text("object", "model");
    out.integer("created", model.created);
    out.text("owned_by", &model.owned_by);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_as_it_was_written() {
        let model = |id: &str| Model { id: id.to_owned(), created: 7, owned_by: "mainstay".to_owned() };
        let models = vec![model("handbook"), model("openai/gpt-4o")];
        assert_eq!(decode_models(&encode_models(&models)).unwrap(), models);
        assert!(decode_models(b"{\"models\":[]}").is_err());
    }
}
