//! Gannet's measuring rig: schedules, histograms, floors and the systems under test.
