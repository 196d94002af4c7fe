import { testSdk } from "./tour.ts";

testSdk("rust");
