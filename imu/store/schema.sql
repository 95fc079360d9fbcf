-- The session store: what every session showed, on the person's own computer, in one SQLite file (`sessions.db`).
--
-- A new store is created from this file. `PRAGMA user_version` in imu/store/database.py is its version: raise it with every change.
--
-- Units are SI: seconds, metres, radians. Times `..._s` are on the recording's own clock, intervals are half-open. Times
-- `..._at` are UTC as text of one length (2026-03-01T17:30:00.000000+00:00), so that their order as text is that in time.
-- Numbers count from 1 in the order of time.
--
-- Measured rows never change: triggers refuse UPDATE on gap, training_set, repetition and rejected. Saving the same recording
-- again, perhaps by a better program, replaces all of these rows of its session in one transaction; the session keeps its id.
-- A correction by the person is a row of its own table. It names the session and a time in the recording, not the number of
-- a row, because a better program may number sets and repetitions differently.
--
-- The views counted_set and counted_repetition hold what counts, with corrections: use them to add anything up.

-- One analysed recording. AUTOINCREMENT: the id of a deleted session is never given to another one.
CREATE TABLE session (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    content_hash      TEXT    NOT NULL UNIQUE,  -- SHA-256 of the recording, hex: the same recording is the same session
    source            TEXT    NOT NULL,         -- path of the recording when it was last saved
    saved_at          TEXT    NOT NULL,         -- when it was first saved
    started_at        TEXT,                     -- when it was recorded; NULL if that is not known
    trained_at        TEXT    NOT NULL GENERATED ALWAYS AS (coalesce(started_at, saved_at)) VIRTUAL,
    software_version  TEXT    NOT NULL,         -- version of the program that measured it
    duration_s        REAL    NOT NULL,
    sampling_rate_hz  REAL,                     -- NULL with fewer than two samples
    samples           INTEGER NOT NULL,
    rows_repeated     INTEGER NOT NULL,         -- rows that had to be left out or mended (RowFaults)
    rows_out_of_order INTEGER NOT NULL,
    rows_not_finite   INTEGER NOT NULL,
    rows_clipped      INTEGER NOT NULL
) STRICT;

-- Newest first, and the last 7 and 28 days.
CREATE INDEX session_by_time ON session (trained_at);

-- A stretch without samples.
CREATE TABLE gap (
    session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    start_s    REAL    NOT NULL,
    end_s      REAL    NOT NULL,
    PRIMARY KEY (session_id, number),
    CHECK (start_s < end_s)
) STRICT;

-- Repetitions without a rest between them. The columns follow from the repetitions; they are here for other tools that read
-- this file, and the program recomputes them.
CREATE TABLE training_set (
    session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    start_s    REAL    NOT NULL,
    end_s      REAL    NOT NULL,
    pattern    TEXT    NOT NULL CHECK (pattern IN ('squat', 'hinge', 'mixed', 'uncertain')),
    PRIMARY KEY (session_id, number)
) STRICT;

-- A movement that was not counted, with the reason in words.
CREATE TABLE rejected (
    session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    start_s    REAL    NOT NULL,
    end_s      REAL    NOT NULL,
    reason     TEXT    NOT NULL,
    counting_log_odds REAL,  -- that it was a repetition; NULL if the counter did not ask
    PRIMARY KEY (session_id, number)
) STRICT;

-- One repetition: of a set, or one that was announced and then rejected because it stayed alone.
-- The columns from start_s on are the fields of `Repetition` in imu/motion/repetitions.py, which says what they mean.
CREATE TABLE repetition (
    session_id                   INTEGER NOT NULL,
    set_number                   INTEGER,           -- NULL for a rejected repetition
    rejected_number              INTEGER,           -- NULL for a repetition of a set
    number                       INTEGER NOT NULL,  -- within the set
    start_s                      REAL    NOT NULL,
    bottom_s                     REAL    NOT NULL,
    end_s                        REAL    NOT NULL,
    confirmed_s                  REAL    NOT NULL,
    pattern                      TEXT    NOT NULL CHECK (pattern IN ('squat', 'hinge', 'uncertain')),
    confidence                   REAL    NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    trunk_angle_rad              REAL    NOT NULL,
    hip_drop_m                   REAL    NOT NULL,
    eccentric_s                  REAL    NOT NULL,
    pause_s                      REAL    NOT NULL,
    concentric_s                 REAL    NOT NULL,
    mean_concentric_velocity_m_s REAL    NOT NULL,
    peak_concentric_velocity_m_s REAL    NOT NULL,
    angle_at_bottom_rad          REAL    NOT NULL,
    sideways_tilt_rad            REAL    NOT NULL,
    turn_rad                     REAL    NOT NULL,
    trunk_lead_s                 REAL    NOT NULL,
    counting_log_odds            REAL,
    hinge_log_odds               REAL,
    drop_from_standing           INTEGER,           -- 0 or 1
    shake_m_s2                   REAL,
    FOREIGN KEY (session_id, set_number) REFERENCES training_set (session_id, number) ON DELETE CASCADE,
    FOREIGN KEY (session_id, rejected_number) REFERENCES rejected (session_id, number) ON DELETE CASCADE,
    UNIQUE (session_id, set_number, number),
    UNIQUE (session_id, rejected_number),
    CHECK ((set_number IS NULL) <> (rejected_number IS NULL)),
    CHECK (start_s < bottom_s AND bottom_s < end_s AND end_s <= confirmed_s)
) STRICT;

CREATE TRIGGER gap_is_measured BEFORE UPDATE ON gap
BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;

CREATE TRIGGER training_set_is_measured BEFORE UPDATE ON training_set
BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;

CREATE TRIGGER rejected_is_measured BEFORE UPDATE ON rejected
BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;

CREATE TRIGGER repetition_is_measured BEFORE UPDATE ON repetition
BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;

-- The person's plan for a set, made before it was done. A set of the session has the plan whose time lies in it, so that a
-- better program, which may number sets differently, finds it again.
CREATE TABLE planned_set (
    session_id  INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    time_s      REAL    NOT NULL,
    exercise    TEXT,
    load_kg     REAL CHECK (load_kg >= 0),
    load_in_lb  INTEGER NOT NULL CHECK (load_in_lb IN (0, 1)),  -- the person writes this load in pounds
    repetitions INTEGER CHECK (repetitions > 0),
    PRIMARY KEY (session_id, number)
) STRICT;

-- The corrections of the person, in the order in which they were made.
CREATE TABLE correction (
    session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    made_at    TEXT    NOT NULL,
    what       TEXT    NOT NULL CHECK (json_valid(what)),  -- as imu/store/corrections.py writes it
    undone     INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1)),  -- 1: it does not count, but can be restored
    PRIMARY KEY (session_id, number)
) STRICT;

-- The counted repetitions of sessions with corrections or a plan, and only of those. The program recomputes it whenever what was
-- measured, the plan or the corrections change.
CREATE TABLE corrected_set (
    session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    start_s    REAL    NOT NULL,
    end_s      REAL    NOT NULL,
    pattern    TEXT    NOT NULL CHECK (pattern IN ('squat', 'hinge', 'mixed', 'uncertain')),
    exercise   TEXT,     -- name that the person entered, else the planned one
    load_kg    REAL,     -- likewise
    load_in_lb INTEGER NOT NULL CHECK (load_in_lb IN (0, 1)),
    note       TEXT,
    PRIMARY KEY (session_id, number)
) STRICT;

CREATE TABLE corrected_repetition (
    session_id               INTEGER NOT NULL,
    set_number               INTEGER NOT NULL,
    number                   INTEGER NOT NULL,
    start_s                  REAL    NOT NULL,
    end_s                    REAL    NOT NULL,
    pattern                  TEXT    NOT NULL CHECK (pattern IN ('squat', 'hinge', 'uncertain')),
    exercise                 TEXT,     -- its own, or that of the set
    load_kg                  REAL,     -- likewise
    load_in_lb               INTEGER NOT NULL CHECK (load_in_lb IN (0, 1)),
    note                     TEXT,
    measured_set_number      INTEGER,  -- where its figures are: in table repetition, by set and number,
    measured_number          INTEGER,
    measured_rejected_number INTEGER,  -- or by the rejected movement; all NULL if the person added it and it was not measured
    PRIMARY KEY (session_id, set_number, number),
    FOREIGN KEY (session_id, set_number) REFERENCES corrected_set (session_id, number) ON DELETE CASCADE,
    CHECK ((measured_set_number IS NULL) = (measured_number IS NULL)),
    CHECK (measured_set_number IS NULL OR measured_rejected_number IS NULL)
) STRICT;

-- What the person chose: whether the program learns from corrections, and the moment from which on (NULL: from all); whether
-- loads are shown in pounds. The learned shifts follow from the corrections and is not stored: see imu/store/learning.py.
CREATE TABLE person (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    switched_on INTEGER NOT NULL CHECK (switched_on IN (0, 1)),
    since       TEXT,
    load_in_lb  INTEGER CHECK (load_in_lb IN (0, 1))  -- NULL: not chosen
) STRICT;
INSERT INTO person VALUES (1, 1, NULL, NULL);

-- What counts, for all sessions. Figures are NULL for a repetition that the person added and that was not measured.
CREATE VIEW counted_set AS
    SELECT session_id, number, start_s, end_s, pattern,
           NULL AS exercise, NULL AS load_kg, 0 AS load_in_lb, NULL AS note
    FROM training_set
    WHERE session_id NOT IN (SELECT session_id FROM correction WHERE undone = 0 UNION SELECT session_id FROM planned_set)
    UNION ALL
    SELECT session_id, number, start_s, end_s, pattern, exercise, load_kg, load_in_lb, note
    FROM corrected_set;

CREATE VIEW counted_repetition AS
    SELECT session_id, set_number, number, start_s, end_s, pattern,
           NULL AS exercise, NULL AS load_kg, 0 AS load_in_lb, NULL AS note,
           trunk_angle_rad, hip_drop_m, mean_concentric_velocity_m_s
    FROM repetition
    WHERE set_number IS NOT NULL
      AND session_id NOT IN (SELECT session_id FROM correction WHERE undone = 0 UNION SELECT session_id FROM planned_set)
    UNION ALL
    SELECT c.session_id, c.set_number, c.number, c.start_s, c.end_s, c.pattern, c.exercise, c.load_kg, c.load_in_lb, c.note,
           m.trunk_angle_rad, m.hip_drop_m, m.mean_concentric_velocity_m_s
    FROM corrected_repetition AS c
    LEFT JOIN repetition AS m ON m.session_id = c.session_id AND (
        (m.set_number = c.measured_set_number AND m.number = c.measured_number)
        OR m.rejected_number = c.measured_rejected_number);
