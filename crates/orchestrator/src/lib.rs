//! Release, plan, stages, report: one deploy from end to end
