import { rename, rm, writeFile } from 'node:fs/promises'

/** Writes all of a file or nothing of it, over another only if asked; returns what went wrong, for people. */
export async function writeWhole (path: string, bytes: Buffer, force: boolean): Promise<string | undefined> {
  const beside = `${path}.${process.pid}.tmp`
  try {
    if (!force) await writeFile(path, bytes, { flag: 'wx' })
    else {
      await writeFile(beside, bytes, { flag: 'wx' })
      await rename(beside, path)
    }
    return undefined
  } catch (error) {
    await rm(beside, { force: true })
    return `${path} cannot be written: ${(error as Error).message}.`
  }
}
