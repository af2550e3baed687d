//! A PostgreSQL server of our own: throwaway for checks and tests, embedded for the dev environment
