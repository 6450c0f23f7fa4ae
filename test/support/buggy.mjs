// Loaded into a server process: bugs on request, as ones of the server's own.
process.on('SIGUSR2', () => {
  Promise.reject(new Error('forgotten by the server'))
  throw new Error('thrown by the server')
})
