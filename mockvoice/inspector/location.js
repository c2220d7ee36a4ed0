// The state of the page that belongs into its URL: view, filters, selection.

/** Return a parameter of the URL. */
export function param(name) {
  return new URLSearchParams(location.search).get(name) ?? "";
}

/** Change parameters; those without a value disappear. */
export function setParams(changes, push = false) {
  const parameters = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) parameters.set(name, value);
    else parameters.delete(name);
  }
  const query = parameters.toString();
  history[push ? "pushState" : "replaceState"](null, "", query ? `?${query}` : location.pathname);
  dispatchEvent(new Event("locationchange"));
}
