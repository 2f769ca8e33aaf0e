//! What kind of question it is: a multinomial logistic regression over the vector of the built-in embedder and the shape
//! of the text, trained on questions that the team has labelled.
//!
//! [`train()`] fits it and says by cross-validation how far it can be trusted; [`IntentModel`] classifies in some tens of
//! microseconds.

mod features;
mod fit;
mod model;
mod train;

pub use model::{Classified, IntentModel, ModelFileError};
pub use train::{
    Confusion, Doubtful, Example, IntentReport, Threshold, TrainError, Trained, TrainingReport, train,
};
