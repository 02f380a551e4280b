//! `stem audit`.
