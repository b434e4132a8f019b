-- Behind each statement of a writer: what the server acknowledged goes to the journal, and so does each error.
-- Since version 17, psql also calls it an error when \gset gets no row; that one has no SQLSTATE, and is none to us.
\if :ERROR
\echo ! :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE
\elif :{?added}
\echo + :added
\endif
\if :{?removed}
\echo - :removed
\endif
\unset added
\unset removed
