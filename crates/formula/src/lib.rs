//! Numbers that can explain themselves: inputs with ranges, formulas over them, and what follows.
