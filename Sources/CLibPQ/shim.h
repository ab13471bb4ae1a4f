#ifndef MYELIN_CLIBPQ_SHIM_H
#define MYELIN_CLIBPQ_SHIM_H

#include <postgresql/libpq-fe.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

/* Field codes of PQresultErrorField: libpq spells them as character macros, which Swift does not import. */
enum {
  CLIBPQ_DIAG_SQLSTATE = PG_DIAG_SQLSTATE,
  CLIBPQ_DIAG_MESSAGE_PRIMARY = PG_DIAG_MESSAGE_PRIMARY,
  CLIBPQ_DIAG_MESSAGE_DETAIL = PG_DIAG_MESSAGE_DETAIL,
  CLIBPQ_DIAG_TABLE_NAME = PG_DIAG_TABLE_NAME,
  CLIBPQ_DIAG_COLUMN_NAME = PG_DIAG_COLUMN_NAME,
  CLIBPQ_DIAG_CONSTRAINT_NAME = PG_DIAG_CONSTRAINT_NAME,
  CLIBPQ_DIAG_SOURCE_FUNCTION = PG_DIAG_SOURCE_FUNCTION
};

#endif
