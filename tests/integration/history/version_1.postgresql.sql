-- The tables as version 1 made them.
CREATE TABLE allocation ( allocation SERIAL NOT NULL, digest VARCHAR(64) NOT NULL, text TEXT NOT NULL, PRIMARY KEY (allocation), UNIQUE (digest) );
CREATE TABLE allocation_node ( node VARCHAR NOT NULL, allocation INTEGER NOT NULL, PRIMARY KEY (node, allocation) );
CREATE TABLE cancelled ( job BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, at FLOAT(53) NOT NULL, uid BIGINT NOT NULL, by_uid BIGINT NOT NULL, PRIMARY KEY (job, first) );
CREATE INDEX cancelled_by_user ON cancelled (uid, at);
CREATE TABLE cursor ( "only" INTEGER NOT NULL, ms BIGINT NOT NULL, seq BIGINT NOT NULL, gap SMALLINT NOT NULL, PRIMARY KEY ("only") );
CREATE TABLE open_run ( id BIGINT NOT NULL, run INTEGER NOT NULL, job BIGINT NOT NULL, rank BIGINT NOT NULL, leased_at FLOAT(53) NOT NULL, allocation INTEGER NOT NULL, PRIMARY KEY (id, run) );
CREATE TABLE run ( id BIGINT NOT NULL, run INTEGER NOT NULL, job BIGINT NOT NULL, rank BIGINT NOT NULL, uid BIGINT NOT NULL, state VARCHAR NOT NULL, code SMALLINT NOT NULL, leased_at FLOAT(53) NOT NULL, began_at FLOAT(53) NOT NULL, ended_at FLOAT(53) NOT NULL, allocation INTEGER NOT NULL, reason TEXT NOT NULL, cpu_s FLOAT(53) NOT NULL, memory_peak BIGINT NOT NULL, PRIMARY KEY (id, run) );
CREATE INDEX run_by_end ON run (ended_at, began_at, state, job);
CREATE INDEX run_by_user ON run (uid, ended_at, began_at, state, job);
CREATE TABLE schema_version ( version INTEGER NOT NULL, PRIMARY KEY (version) );
CREATE TABLE step ( id BIGINT NOT NULL, run INTEGER NOT NULL, step INTEGER NOT NULL, name VARCHAR NOT NULL, state VARCHAR NOT NULL, node TEXT NOT NULL, ntasks INTEGER NOT NULL, cpus FLOAT(53) NOT NULL, memory BIGINT NOT NULL, command TEXT NOT NULL, began_at FLOAT(53) NOT NULL, ended_at FLOAT(53) NOT NULL, code SMALLINT NOT NULL, cpu_s FLOAT(53) NOT NULL, memory_peak BIGINT NOT NULL, PRIMARY KEY (id, run, step) );
CREATE TABLE submission ( job BIGINT NOT NULL, count BIGINT NOT NULL, submitted_at FLOAT(53) NOT NULL, done_at FLOAT(53) NOT NULL, uid BIGINT NOT NULL, "user" VARCHAR NOT NULL, name VARCHAR NOT NULL, partition VARCHAR NOT NULL, account VARCHAR NOT NULL, qos VARCHAR NOT NULL, record TEXT NOT NULL, PRIMARY KEY (job) );
CREATE INDEX submission_by_name ON submission (name);
CREATE INDEX submission_by_time ON submission (submitted_at);
CREATE INDEX submission_by_user ON submission ("user");
