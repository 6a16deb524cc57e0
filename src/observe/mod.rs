//! asks the ports, never fails
