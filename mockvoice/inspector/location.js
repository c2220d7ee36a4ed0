// The state of the page that belongs into its URL: view, filters, selection.

/** Return a parameter of the URL. */
export function param(name) {
  return new URLSearchParams(location.search).get(name) ?? "";
}

/** Return the URL with other parameters; those without a value disappear. */
export function withParams(changes) {
  const parameters = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) parameters.set(name, value);
    else parameters.delete(name);
  }
  const query = parameters.toString();
  return query ? `?${query}` : location.pathname;
}

/** Change parameters; `push` adds an entry to the history. */
export function setParams(changes, push = false) {
  history[push ? "pushState" : "replaceState"](null, "", withParams(changes));
  dispatchEvent(new Event("locationchange"));
}

/** Return the sandbox that control views show and change; "" is the default one. */
export function currentSandbox() {
  return param("sandbox").startsWith("~") ? param("sandbox").slice(1) : "";
}

/** Return the properties of a link within the page. */
export function linkTo(changes) {
  return {
    href: withParams(changes),
    onclick: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      setParams(changes, true);
    },
  };
}
