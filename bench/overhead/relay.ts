/** The least there can be between a model and its client: what one writes, the other is sent, in two frames' worth of code. */
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
server.on('listening', () => console.log(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`))
server.on('connection', socket => {
  socket.on('message', () => {
    request(`${process.env['MODEL']}/chat/completions`, { method: 'POST' }, response => {
      response.on('data', (data: Buffer) => {
        const token = /"content":"([^"]*)"/.exec(data.toString('latin1'))?.[1]
        if (token !== undefined) socket.send(`{"type":"response.output_text.delta","delta":"${token}"}`)
      })
      response.on('end', () => socket.send('{"type":"response.done"}'))
    }).end()
  })
})
process.once('SIGTERM', () => process.exit())
