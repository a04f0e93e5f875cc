//! The filters that have a name, on arrays of any rank.
