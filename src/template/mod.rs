//! reading `CloudFormation` templates
