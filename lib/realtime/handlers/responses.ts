import type { Handler } from './table.js'

export const createResponse: Handler<'response.create'> = (session, { response }) => {
  session.responses.create(session.plan(response ?? {}))
}

export const cancelResponse: Handler<'response.cancel'> = (session, { response_id: id }) => {
  session.responses.cancel(id ?? null)
}
