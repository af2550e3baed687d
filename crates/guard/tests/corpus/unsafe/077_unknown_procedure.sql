-- expect: unknown-call
CALL nightly_job();
