"""The contract that every part of Diurnal agrees on: spec, status, plan, layout, names."""
