import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { missingPackage } from './rpc.js'

/** Path of a package's main file, wherever it is installed. */
export function packageFile (name: string): string {
  try {
    return fileURLToPath(import.meta.resolve(name))
  } catch (error) {
    throw new Error(missingPackage(name), { cause: error })
  }
}

/** The path itself, if there is such a file. Native code would say so in its own, longer way. */
export function modelFile (path: string): string {
  if (!existsSync(path)) throw new Error(`the model file ${path} is missing`)
  return path
}
