import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'

/** A client that asks for small answers in a process of its own, and prints the milliseconds each took: how busy the other clients' event loop is says nothing of the server. */
const socket = new WebSocket(process.argv[2]!)
await once(socket, 'message')
for (;;) {
  const since = performance.now()
  socket.send('{"type":"input_audio_buffer.clear"}')
  await once(socket, 'message')
  console.log(performance.now() - since)
  await delay(20)
}
