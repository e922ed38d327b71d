/** Says why the job cannot run, in one line that the user can do something about. */
export class JobError extends Error {
  override readonly name = "JobError";
}
