//! What running models costs: by the token, by the GPU, or both; today and under growth.
