-- Makes the service's role and database on a new volume. The service's role is no superuser, and the
-- superuser logs in from inside of the container alone.
\set password `cat /run/secrets/database_password`
CREATE ROLE socialapi LOGIN PASSWORD :'password';
CREATE DATABASE socialapi OWNER socialapi;
ALTER ROLE postgres PASSWORD NULL;
