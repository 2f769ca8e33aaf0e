//! OpenAI, Anthropic and Gemini wire shapes to and from the canonical chat types.
