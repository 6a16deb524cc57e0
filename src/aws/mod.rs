//! the only room that names `aws_*`
