import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CONTENT_SECURITY_POLICY, packagedPages, readPages, type PageFile } from '../lib/page-files.js'

/**
 * `GET /`: the playground; `GET /admin`: the operator's page. Neither needs a key to be read, what they show
 * does. An embedder's own `/` goes before.
 */
export default async function pages (fastify: FastifyInstance): Promise<void> {
  const { playground } = fastify.dramatisOptions
  if (playground === false) return
  const files = readPages(playground === true ? packagedPages : playground)

  if (!fastify.hasRoute({ method: 'GET', url: fastify.prefix === '' ? '/' : fastify.prefix })) {
    fastify.get('/', async (request, reply) => {
      const [path, query] = request.url.split('?')
      // Under a prefix both /ai and /ai/ come here; the page's own paths are relative to the second.
      if (!path!.endsWith('/')) return await reply.redirect(`${path}/${query === undefined ? '' : `?${query}`}`, 308)
      return await send(request, reply, files.get('index.html'))
    })
  }
  fastify.get('/admin', async (request, reply) => await send(request, reply, files.get('admin.html')))
  fastify.get('/playground-icon.svg', async (request, reply) => await send(request, reply, files.get('playground-icon.svg')))
  fastify.get<{ Params: { '*': string } }>('/playground/*', async (request, reply) => await send(request, reply, files.get(`playground/${request.params['*']}`)))
}

async function send (request: FastifyRequest, reply: FastifyReply, file: PageFile | undefined): Promise<FastifyReply> {
  if (file === undefined) return await reply.code(404).type('text/plain; charset=utf-8').send('There is no such page. In a clone, `npm run build` makes the playground.\n')
  const { body, gzip, type, etag, immutable } = file
  reply.headers({
    etag,
    vary: 'accept-encoding',
    'cache-control': immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'permissions-policy': 'microphone=(self), camera=(), geolocation=()'
  })
  if (request.headers['if-none-match'] === etag) return await reply.code(304).send()
  reply.type(type)
  if (/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return await reply.header('content-encoding', 'gzip').send(gzip)
  return await reply.send(body)
}
