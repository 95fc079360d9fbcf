BEGIN TRANSACTION;
CREATE TABLE gap (
        session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        PRIMARY KEY (session_id, number),
        CHECK (start_s < end_s)
    ) STRICT;
INSERT INTO "gap" VALUES(1,1,3.1,3.4);
INSERT INTO "gap" VALUES(2,1,3.1,3.4);
CREATE TABLE rejected (
        session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (session_id, number)
    ) STRICT;
INSERT INTO "rejected" VALUES(1,1,400.0,404.0,'sat down');
INSERT INTO "rejected" VALUES(1,2,410.0,412.3,'alone');
INSERT INTO "rejected" VALUES(1,3,420.0,422.3,'alone');
CREATE TABLE repetition (
        session_id INTEGER NOT NULL,
        set_number INTEGER,
        rejected_number INTEGER,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        bottom_s REAL NOT NULL,
        end_s REAL NOT NULL,
        confirmed_s REAL NOT NULL,
        pattern TEXT NOT NULL CHECK (pattern IN ('squat', 'hinge', 'uncertain')),
        confidence REAL NOT NULL CHECK (confidence BETWEEN 0 AND 1),
        trunk_angle_rad REAL NOT NULL,
        hip_drop_m REAL NOT NULL,
        eccentric_s REAL NOT NULL,
        pause_s REAL NOT NULL,
        concentric_s REAL NOT NULL,
        mean_concentric_velocity_m_s REAL NOT NULL,
        peak_concentric_velocity_m_s REAL NOT NULL,
        angle_at_bottom_rad REAL NOT NULL,
        sideways_tilt_rad REAL NOT NULL,
        turn_rad REAL NOT NULL,
        trunk_lead_s REAL NOT NULL,
        FOREIGN KEY (session_id, set_number) REFERENCES training_set (session_id, number) ON DELETE CASCADE,
        FOREIGN KEY (session_id, rejected_number) REFERENCES rejected (session_id, number) ON DELETE CASCADE,
        UNIQUE (session_id, set_number, number),
        UNIQUE (session_id, rejected_number),
        CHECK ((set_number IS NULL) <> (rejected_number IS NULL)),
        CHECK (start_s < bottom_s AND bottom_s < end_s AND end_s <= confirmed_s)
    ) STRICT;
INSERT INTO "repetition" VALUES(1,1,NULL,1,0.0,1.1,2.3,2.4,'squat',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,1,NULL,2,3.0,4.1,5.3,5.4,'squat',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,1,NULL,3,6.0,7.1,8.3,8.4,'squat',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,1,NULL,4,9.0,10.1,11.3,11.4,'squat',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,1,NULL,5,12.0,13.1,14.3,14.4,'squat',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,2,NULL,1,100.0,101.1,102.3,102.4,'hinge',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,2,NULL,2,103.0,104.1,105.3,105.4,'hinge',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,2,NULL,3,106.0,107.1,108.3,108.4,'hinge',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,2,NULL,4,109.0,110.1,111.3,111.4,'hinge',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,2,NULL,5,112.0,113.1,114.3,114.4,'uncertain',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,3,NULL,1,200.0,201.1,202.3,202.4,'squat',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,3,NULL,2,203.0,204.1,205.3,205.4,'hinge',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,NULL,2,1,410.0,411.1,412.3,412.4,'hinge',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(1,NULL,3,1,420.0,421.1,422.3,422.4,'uncertain',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(2,1,NULL,1,0.0,1.1,2.3,2.4,'hinge',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(2,1,NULL,2,3.0,4.1,5.3,5.4,'hinge',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
INSERT INTO "repetition" VALUES(2,1,NULL,3,6.0,7.1,8.3,8.4,'hinge',0.97,3.00000000000000044408e-01,3.33333333333333314829e-01,1.1,0.0,1.2,0.37,0.61,-0.05,0.03,-0.01,0.12);
CREATE TABLE session (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        content_hash TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        saved_at TEXT NOT NULL,
        started_at TEXT,
        trained_at TEXT NOT NULL GENERATED ALWAYS AS (coalesce(started_at, saved_at)) VIRTUAL,
        software_version TEXT NOT NULL,
        duration_s REAL NOT NULL,
        sampling_rate_hz REAL,
        samples INTEGER NOT NULL,
        rows_repeated INTEGER NOT NULL,
        rows_out_of_order INTEGER NOT NULL,
        rows_not_finite INTEGER NOT NULL,
        rows_clipped INTEGER NOT NULL
    ) STRICT;
INSERT INTO "session" VALUES(1,'0000000000000000000000000000000000000000000000000000000000000001','walk 1.csv','2026-03-10T18:30:00.123456+00:00',NULL,'1.2',61.2,100.0,6120,1,2,3,4);
INSERT INTO "session" VALUES(2,'0000000000000000000000000000000000000000000000000000000000000002','walk 2.csv','2026-03-10T18:30:00.123456+00:00','2026-03-09T18:30:00.123456+00:00','1.2',61.2,100.0,6120,1,2,3,4);
CREATE TABLE training_set (
        session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        pattern TEXT NOT NULL CHECK (pattern IN ('squat', 'hinge', 'mixed', 'uncertain')),
        PRIMARY KEY (session_id, number)
    ) STRICT;
INSERT INTO "training_set" VALUES(1,1,0.0,14.3,'squat');
INSERT INTO "training_set" VALUES(1,2,100.0,114.3,'hinge');
INSERT INTO "training_set" VALUES(1,3,200.0,205.3,'mixed');
INSERT INTO "training_set" VALUES(2,1,0.0,8.3,'hinge');
CREATE INDEX session_by_time ON session (trained_at);
CREATE TRIGGER gap_is_measured BEFORE UPDATE ON gap
    BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;
CREATE TRIGGER training_set_is_measured BEFORE UPDATE ON training_set
    BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;
CREATE TRIGGER rejected_is_measured BEFORE UPDATE ON rejected
    BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;
CREATE TRIGGER repetition_is_measured BEFORE UPDATE ON repetition
    BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('session',3);
COMMIT;
