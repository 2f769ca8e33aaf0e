//! Runs a model of the BERT family, given as an ONNX graph.

use std::path::Path;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::threads;

/// An encoder: token ids in, numbers out.
pub(crate) struct Encoder {
    model: Model,
    ids: NodeId,
    mask: NodeId,
    /// Which of two texts a token belongs to, for models that want it said.
    types: Option<NodeId>,
    output: NodeId,
}

/// What one run reads: the tokens of a text, or of two texts one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tokens {
    /// The ids, with the special tokens of the model.
    pub(crate) ids: Vec<i32>,
    /// How many belong to the first text.
    pub(crate) first: usize,
    /// Whether the model knows nothing of the text.
    pub(crate) blank: bool,
}

/// What a run gives: `rows` times `positions` times `width` numbers. An encoder gives a vector for each position, a
/// classifier has one position.
pub(crate) struct Output {
    pub(crate) positions: usize,
    pub(crate) width: usize,
    pub(crate) values: Vec<f32>,
}

/// Why a model cannot be loaded or run.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum EncoderError {
    #[error("the model cannot be read: {0}")]
    Load(String),
    #[error("the model has no input called \"{0}\"; it is none of the BERT family")]
    Input(&'static str),
    #[error("the model failed: {0}")]
    Run(String),
    #[error("the model's output has {0} dimensions, where 2 or 3 are expected; it is no encoder")]
    Output(usize),
}

impl Encoder {
    /// The encoder that is compiled into the program.
    pub(crate) fn from_bytes(bytes: &'static [u8]) -> Result<Self, EncoderError> {
        Self::new(Model::load_static_slice(bytes).map_err(|error| EncoderError::Load(error.to_string()))?)
    }

    /// The encoder in a file.
    pub(crate) fn from_file(path: &Path) -> Result<Self, EncoderError> {
        Self::new(Model::load_file(path).map_err(|error| EncoderError::Load(error.to_string()))?)
    }

    fn new(model: Model) -> Result<Self, EncoderError> {
        let input = |name| model.find_node(name).filter(|node| model.input_ids().contains(node));
        let ids = input("input_ids").ok_or(EncoderError::Input("input_ids"))?;
        let mask = input("attention_mask").ok_or(EncoderError::Input("attention_mask"))?;
        let types = input("token_type_ids");
        let output = *model.output_ids().first().ok_or(EncoderError::Output(0))?;
        Ok(Self { model, ids, mask, types, output })
    }

    /// How many numbers the model gives for each position of a text.
    pub(crate) fn width(&self, tokens: &Tokens) -> Result<usize, EncoderError> {
        Ok(self.run(&[tokens], threads::for_questions())?.width)
    }

    /// Runs the model once over several texts, each padded to the length of the longest.
    pub(crate) fn run(&self, batch: &[&Tokens], threads: &Arc<ThreadPool>) -> Result<Output, EncoderError> {
        let length = batch.iter().map(|tokens| tokens.ids.len()).max().unwrap_or(0);
        let grid = |number: fn(&Tokens, usize) -> i32| -> ValueOrView<'static> {
            let rows = batch.iter().flat_map(|tokens| (0..length).map(move |at| number(tokens, at)));
            Value::from(NdTensor::from_data([batch.len(), length], rows.collect::<Vec<i32>>())).into()
        };
        let mut inputs = vec![
            (self.ids, grid(|tokens, at| tokens.ids.get(at).copied().unwrap_or(0))),
            (self.mask, grid(|tokens, at| i32::from(at < tokens.ids.len()))),
        ];
        if let Some(types) = self.types {
            inputs
                .push((types, grid(|tokens, at| i32::from((tokens.first..tokens.ids.len()).contains(&at)))));
        }
        let options = RunOptions::default().with_thread_pool(Some(threads.clone()));
        let [output] = self
            .model
            .run_n(inputs, [self.output], Some(options))
            .map_err(|error| EncoderError::Run(error.to_string()))?;
        let output = output.into_tensor::<f32>().ok_or(EncoderError::Output(0))?;
        let (positions, width) = match output.shape() {
            [_, width] => (1, *width),
            [_, positions, width] => (*positions, *width),
            other => return Err(EncoderError::Output(other.len())),
        };
        Ok(Output { positions, width, values: output.into_data() })
    }
}

impl Output {
    /// The numbers of each text, in the order of the batch.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact((self.positions * self.width).max(1))
    }
}
