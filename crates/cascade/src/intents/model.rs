//! The trained model: classifying, and the file that keeps it.

use serde::{Deserialize, Serialize};

use super::features::{COUNT, NAME, features};
use super::fit::{scores, softmax};

/// Tells intents apart.
#[derive(Clone, PartialEq, Debug)]
pub struct IntentModel {
    intents: Vec<String>,
    /// A row of weights for each.
    weights: Vec<f32>,
    /// What scores are divided by, so that the shares are how often it is right.
    temperature: f32,
}

/// What a question seems to be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Classified<'a> {
    /// Its intent.
    pub intent: &'a str,
    /// How likely that is, 0 to 1, as cross-validation has found it.
    pub confidence: f64,
}

/// The file. A row of numbers a line would be as hard to read, and three times as long.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    features: String,
    temperature: f32,
    intents: Vec<Intent>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Intent {
    name: String,
    weights: Vec<f32>,
}

/// The format of the file; its number changes with it.
const FORMAT: &str = "mainstay-intents/1";

/// What the numbers of the file are rounded to: further digits change no decision.
const PRECISION: f32 = 10_000.0;

/// Why a file is no model.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ModelFileError {
    /// It is not one, or damaged.
    #[error("this is no intent model: {0}")]
    Format(String),
    /// It was trained for other numbers than this version makes of a question.
    #[error("the model was trained for {found:?}, this version uses {NAME:?}")]
    Features {
        /// What the file says.
        found: String,
    },
}

impl IntentModel {
    /// A model with these weights.
    pub(super) fn new(intents: Vec<String>, weights: &[f64], temperature: f64) -> Self {
        let round = |value: f64| ((value as f32) * PRECISION).round() / PRECISION;
        let weights = weights.iter().map(|&weight| round(weight)).collect();
        Self { intents, weights, temperature: round(temperature).max(1.0 / PRECISION) }
    }

    /// The intents that it knows.
    pub fn intents(&self) -> &[String] {
        &self.intents
    }

    /// What a question most likely is.
    pub fn classify(&self, question: &str) -> Classified<'_> {
        let mut shares = scores(&self.weights, &features(question));
        shares.iter_mut().for_each(|score| *score /= self.temperature);
        softmax(&mut shares);
        let best = shares.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
        let (best, share) = best.map_or((0, 0.0), |(best, share)| (best, *share));
        Classified { intent: &self.intents[best], confidence: f64::from(share) }
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let intents = self.intents.iter().zip(self.weights.chunks_exact(COUNT));
        let file = File {
            format: FORMAT.to_owned(),
            features: NAME.to_owned(),
            temperature: self.temperature,
            intents: intents
                .map(|(name, weights)| Intent { name: name.clone(), weights: weights.to_vec() })
                .collect(),
        };
        let mut text = serde_json::to_string(&file).expect("names and finite numbers are JSON");
        text.push('\n');
        text
    }

    /// Reads the file's text.
    pub fn from_json(text: &str) -> Result<Self, ModelFileError> {
        let file: File =
            serde_json::from_str(text).map_err(|error| ModelFileError::Format(error.to_string()))?;
        if file.format != FORMAT {
            return Err(ModelFileError::Format(format!("its format is {:?}, not {FORMAT:?}", file.format)));
        }
        if file.features != NAME {
            return Err(ModelFileError::Features { found: file.features });
        }
        if file.intents.len() < 2 {
            return Err(ModelFileError::Format("it knows fewer than two intents".to_owned()));
        }
        if let Some(bad) = file.intents.iter().find(|intent| {
            intent.weights.len() != COUNT || !intent.weights.iter().all(|weight| weight.is_finite())
        }) {
            return Err(ModelFileError::Format(format!("{:?} has not {COUNT} finite weights", bad.name)));
        }
        if !(file.temperature.is_finite() && file.temperature > 0.0) {
            return Err(ModelFileError::Format("its temperature is not above 0".to_owned()));
        }
        let (intents, weights): (Vec<String>, Vec<Vec<f32>>) =
            file.intents.into_iter().map(|intent| (intent.name, intent.weights)).unzip();
        Ok(Self { intents, weights: weights.concat(), temperature: file.temperature })
    }
}
