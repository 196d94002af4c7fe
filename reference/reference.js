/* global SwaggerUIBundle */
// The contract and the server are named relative to this page, so the reference also works below a proxy's path.
const address = new URL("../openapi.json", document.baseURI);

/** Replaces the server of the contract, "/", which is no path of a proxy. */
const setServer =
  (update) =>
  ({ servers: [first], ...contract }) =>
    update({ ...contract, servers: [{ ...first, url: new URL(".", address).pathname }] });

SwaggerUIBundle({
  url: address.href,
  plugins: [{ statePlugins: { spec: { wrapActions: { updateJsonSpec: setServer } } } }],
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  validatorUrl: null,
});

// Swagger UI has a class for its dark colors. theme.js keeps the choice in data-theme, which is absent for the system's.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const print = matchMedia("print");

function applyTheme() {
  const { theme } = root.dataset;
  const isDark = theme === undefined ? system.matches : theme === "dark";
  root.classList.toggle("dark-mode", isDark && !print.matches);
}

applyTheme();
for (const query of [system, print]) query.addEventListener("change", applyTheme);
new MutationObserver(applyTheme).observe(root, { attributeFilter: ["data-theme"] });
