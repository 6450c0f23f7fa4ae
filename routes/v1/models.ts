import type { FastifyInstance } from 'fastify'

/** `GET /v1/models`: the language model in use, in OpenAI's list shape. */
export default async function models (fastify: FastifyInstance): Promise<void> {
  const created = Math.floor(Date.now() / 1000)
  fastify.get('/v1/models', async () => {
    const { model, name } = fastify.dramatisEngines.llm
    return { object: 'list', data: model === '' ? [] : [{ id: model, object: 'model', created, owned_by: name }] }
  })
}
